variable "token" {
  sensitive = true
  default   = "hunter2-token"

  validation {
    condition     = length(var.token) > 100 # ERROR: Invalid value
    error_message = "not ${var.token}"
  }
}

variable "number" {
  type      = number
  sensitive = true
  default   = "hunter2" # ERROR: Wrong type
}

locals {
  upper  = upper(var.token)
  object = { a = local.upper, b = "open" }
  index  = { x = 1 }[var.token]           # ERROR: Invalid index
  json   = jsondecode(var.token)          # ERROR: Error in function call
  lookup = lookup({ x = "y" }, var.token) # ERROR: Invalid function argument
}

source "mysql" "s" {
  host     = "db-${local.upper}" # ERROR: Sensitive value
  user     = local.object.b
  password = local.object.a
}

source "mysql" "t" {
  host     = "db"
  user     = "u"
  password = "${var.tokn}hunter2" # ERROR: Undefined reference
}

source "mysql" "u" {
  host     = "db"
  user     = "u"
  password = jsondecode("hunter2") # ERROR: Error in function call
}

source "mysql" "v" {
  host     = "db"
  user     = "u"
  password = hunter2 # ERROR: Undefined reference
}

repository "local" "r" {
  path = "/${split("-", var.token)[0]}" # ERROR: Sensitive value
}

job "a" {
  for_each   = { x = var.token }
  source     = source.mysql.s
  repository = repository.local.r
  labels     = { a = each.value } # ERROR: Sensitive value
  timeout    = var.token == "" ? "1h" : "2h" # ERROR: Sensitive value

  clone {
    directory = "/d"
  }
}

job "b" {
  for_each   = [var.token] # ERROR: Sensitive value
  source     = source.mysql.s
  repository = repository.local.r

  clone {
    directory = "/d"
  }
}
