variable "a" {
  type    = string
  default = var.b # ERROR: Undefined reference
}

variable "needed" { # ERROR: Missing variable
  description = "must be given"
}

variable "wrong" {
  type    = list(number)
  default = ["x"] # ERROR: Wrong type
}

variable "type" {
  type    = strin # ERROR: Invalid type
  default = 1
}

variable "checked" {
  default = 3

  validation {
    condition     = var.checked > 5 # ERROR: Invalid value
    error_message = "more than ${2 + 3}"
  }

  validation {
    condition     = "maybe" # ERROR: Wrong type
    error_message = "x"
  }
}

locals {
  one  = local.two # ERROR: Cycle
  two  = local.three
  three = local.one
  self = "${local.self}" # ERROR: Cycle
  good = upper("x")
  bad  = uper("x")        # ERROR: Call to unknown function
  late = local.bad
  none = local.god        # ERROR: Undefined reference
  env  = env("NOT_SET")   # ERROR: Invalid function argument
  kind = source.mysql.s   # ERROR: Undefined reference
}

source "mysql" "s" {
  host = lokal.good # ERROR: Undefined reference
  user = backup     # ERROR: Undefined reference
}

repository "local" "r" {
  path = "/r/${each.key}" # ERROR: Undefined reference
}

job "a" {
  source     = source.mysq.s # ERROR: Undefined reference
  repository = repository.local.q # ERROR: Undefined reference
  depends_on = [job.b, job.nowhere] # ERROR: Cycle | Undefined reference

  clone {
    directory = local.late
  }
}

job "b" {
  source     = source.mysql["x"] # ERROR: Undefined reference
  repository = repository.local.r
  depends_on = [job.a]

  clone {
    directory = var.needed
  }
}

job "c" {
  source     = source.mysql.s
  repository = repository.local.r
  depends_on = [job.c] # ERROR: Cycle

  clone {
    directory = "/d"
  }
}

job "d" {
  for_each   = ["x", "x"] # ERROR: Duplicate key
  source     = source.mysql[each.value]
  repository = repository.local.r
  depends_on = job.a # ERROR: Wrong type
  labels     = { each = each.kay } # ERROR: Undefined reference

  clone {
    directory = "/d"
    bandwidth = "fast" # ERROR: Invalid value
  }
}

job "e" {
  for_each   = { x = 1 }
  source     = source.mysql[each.key] # ERROR: Invalid index
  repository = repository.local.r
  depends_on = [job.e["y"], "job.a"] # ERROR: Undefined reference | Wrong type

  clone {
    directory = "/d"
  }
}
