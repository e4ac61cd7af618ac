source "mysql" "s" { # ERROR: Duplicate definition
  socket = "/s"
  user   = "u"
}

repository "local" "r" {
  path = "/r"
}

locals {
  root = "/a" # ERROR: Duplicate definition
}

defaults { # ERROR: Duplicate definition
  timeout = "1h"
}
