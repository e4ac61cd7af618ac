package plan

import (
	"errors"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"runner/pkg/plan/internal/hclsyn"
)

// Limits of what evaluating may do, besides those that are estimated before (see affordable): what functions return is not known
// then. A round of a loop takes some microseconds.
const (
	maxSteps      = 200_000 // nodes that the rounds of one expression's loops evaluate
	maxTotalSteps = 4 * maxSteps
	maxBytes      = 64 << 20 // bytes that one expression's functions return and its loops put together, about
	maxTotalBytes = 4 * maxBytes
)

// budget is what evaluating has cost: the expression that is evaluated now, and all together.
type budget struct {
	steps, bytes           int
	totalSteps, totalBytes int
	unit                   int  // bytes that one round of a loop may put together: all that the expression holds and refers to
	over                   bool // since when every call fails at once
}

var errOverBudget = errors.New("this would take too long or grow too large")

// begin is for a further expression.
func (b *budget) begin(unit int) { b.steps, b.bytes, b.unit, b.over = 0, 0, unit, false }

// spend counts, and fails once there is nothing left.
func (b *budget) spend(steps, bytes int) error {
	b.steps, b.totalSteps = b.steps+steps, b.totalSteps+steps
	b.bytes, b.totalBytes = b.bytes+bytes, b.totalBytes+bytes
	if b.steps > maxSteps || b.bytes > maxBytes || b.totalSteps > maxTotalSteps || b.totalBytes > maxTotalBytes {
		b.over = true
	}
	if b.over {
		return errOverBudget
	}
	return nil
}

// counting has the functions spend what they return, and adds those through which loops are counted.
func (b *budget) counting(functions map[string]function.Function) map[string]function.Function {
	for name, f := range functions {
		if name != "try" { // which evaluates its arguments itself
			functions[name] = b.counted(f)
		}
	}
	for _, nodes := range hclsyn.LoopSizes() {
		functions[hclsyn.LoopFunction+strconv.Itoa(nodes)] = b.loop(nodes)
	}
	return functions
}

func (b *budget) counted(inner function.Function) function.Function {
	return function.New(&function.Spec{
		Params: inner.Params(), VarParam: inner.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := b.spend(1, 0); err != nil {
				return cty.NilType, err
			}
			return inner.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := inner.Call(args)
			if err != nil {
				return v, err
			}
			return v, b.spend(1, sizeOf(v))
		},
	})
}

// loop gives a collection back, and counts the rounds that it is good for.
func (b *budget) loop(nodes int) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "collection", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, _ := args[0].Unmark()
			if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
				return args[0], nil
			}
			n := v.LengthInt()
			return args[0], b.spend(n*nodes, n*min(b.unit, maxBytes))
		},
	})
}

// unitOf is what one round of a loop in an expression may put together.
func unitOf(e hcl.Expression, s scope) int {
	unit := e.Range().End.Byte - e.Range().Start.Byte
	for _, t := range e.Variables() {
		if v, diags := t[:min(len(t), 2)].TraverseAbs(s.ctx); !diags.HasErrors() {
			unit += sizeOf(v)
		}
	}
	return unit
}
