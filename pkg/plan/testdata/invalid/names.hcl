backup "x" { # ERROR: Unknown block
}

version = 1 # ERROR: Unknown attribute

source "mysq" "s" { # ERROR: Unknown kind
  host = "h"
  user = "u"
}

source "mysql" { # ERROR: Wrong labels
  host = "h"
  user = "u"
}

source "mysql" "a b" { # ERROR: Invalid name
  host = "h"
  user = "u"
}

source "mysql" "s" {
  host = "h"
  host = "i" # ERROR: Duplicate key
  user = "u"
  tls = {} # ERROR: Unknown attribute
}

repository "local" "r" { # ERROR: Duplicate definition
  path = "/r"
}

repository "local" "r" { # ERROR: Duplicate definition
  path = "/r"
}

job "j" {
  source     = source.mysql.s
  repository = repository.local.r
  labels     = { a = "1", b = "2", a = "3" } # ERROR: Duplicate key

  timeout { # ERROR: Unknown block
  }

  clone { # ERROR: Duplicate definition
    directory = "/d"
    thread    = 4 # ERROR: Unknown attribute
  }

  clone { # ERROR: Duplicate definition
    directory = "/d"
  }
}
