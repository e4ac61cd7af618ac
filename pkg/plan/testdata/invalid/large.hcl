locals {
  a = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
  b = "${local.a}${local.a}${local.a}${local.a}${local.a}${local.a}${local.a}${local.a}${local.a}${local.a}"
  c = "${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}"
  d = "${local.c}${local.c}${local.c}${local.c}${local.c}${local.c}${local.c}${local.c}${local.c}${local.c}"
  e = "${local.d}${local.d}${local.d}${local.d}${local.d}${local.d}${local.d}${local.d}${local.d}${local.d}" # ERROR: Too complex
  f = [for a in split("", local.c) : [for b in split("", local.c) : [for c in split("", local.c) : a]]] # ERROR: Too complex
  g = format("%999999999s", "x") # ERROR: Invalid function argument
  h = replace(local.c, "0", local.c) # ERROR: Error in function call
  i = join(local.c, split("", local.c)) # ERROR: Error in function call
}
