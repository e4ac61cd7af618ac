source "mysql" "s" {
  host     = "h"
  password = "hunter2" "hunter2" # ERROR: Missing newline after argument
}

repository "local" "r" {
  paht = "/r" # ERROR: Unknown attribute
}
