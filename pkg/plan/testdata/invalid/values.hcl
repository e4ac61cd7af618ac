source "mysql" "s" { # ERROR: Missing attribute | Missing attribute
}

source "mysql" "t" {
  host          = "db:3306" # ERROR: Invalid value
  socket        = "/s"      # ERROR: Conflicting attributes
  port          = "33o6"    # ERROR: Wrong type
  user          = ""        # ERROR: Invalid value
  password      = "hunter2"
  password_file = "/p" # ERROR: Conflicting attributes

  tls {
    mode      = "verify-identiti" # ERROR: Invalid value
    cert_file = "/c"              # ERROR: Missing attribute
  }
}

source "mysql" "u" {
  host     = "db"
  user     = ["u"] # ERROR: Wrong type
  password = { hunter2 = "hunter2" } # ERROR: Wrong type

  tls {
    mode    = "required"
    ca_file = "/ca" # ERROR: Conflicting attributes
  }
}

source "mysql" "v" {
  socket = "/s"
  port   = 3306 # ERROR: Conflicting attributes
  user   = "u"
}

repository "local" "r" { # ERROR: Missing attribute
}

job "a" {
  source     = "source.mysql.s" # ERROR: Wrong type
  repository = source.mysql.s   # ERROR: Wrong type
  labels     = ["x"]            # ERROR: Wrong type
  timeout    = "6"              # ERROR: Invalid value

  check {
    lost_tables = "eror" # ERROR: Invalid value
    min_free    = "101%" # ERROR: Invalid value
    plugin      = null
  }

  clone {
    mode        = "local"
    directory   = "var/tmp"   # ERROR: Invalid value
    bandwidth   = "1023K"     # ERROR: Invalid value
    threads     = 1.5         # ERROR: Wrong type
    ddl         = "permit"    # ERROR: Invalid value
    ddl_timeout = "1500ms"    # ERROR: Invalid value
    keep        = "sometimes" # ERROR: Wrong type
  }

  compress {
    format    = "gzip"
    level     = 10                     # ERROR: Invalid value
    threads   = -1                     # ERROR: Invalid value
    bandwidth = "99999999999999999999" # ERROR: Invalid value
  }

  checksum {
    algorithm = "md5" # ERROR: Invalid value
    pages     = true  # ERROR: Invalid value
  }

  metadata {
    annotations = { a = ["b"] } # ERROR: Wrong type
  }
}

job "b" { # ERROR: Missing attribute | Missing attribute
  timeout = "-1h" # ERROR: Invalid value

  clone { # ERROR: Missing attribute
    mode = "local"
  }

  compress {
    format = "none"
    level  = 1 # ERROR: Conflicting attributes
  }
}

job "c" {
  source     = source.mysql.s
  repository = repository.local.r

  compress {
    format = "lz4"
    level  = 13 # ERROR: Invalid value
  }
}

job "d" {
  source     = source.mysql.s
  repository = repository.local.r

  compress {
    level = 23 # ERROR: Invalid value
  }
}
