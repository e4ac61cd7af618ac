source "mysql" "s" {
  socket = "/s"
  user   = "u"
}

repository "local" "r" {
  path = "/r"
}

variable "mine" {
  default = "age1mistyped"
}

defaults {
  source     = source.mysql.s
  repository = repository.local.r
  clone {
    directory = "/c"
  }
}

job "nobody" {
  encrypt {} # ERROR: Missing attribute
}

job "empty" {
  encrypt {
    recipients = [] # ERROR: Invalid value
  }
}

job "mistyped" {
  encrypt {
    recipients = [
      "age104y60w0sa3se0c80rzuwh39y7tra32edmyrczaczddet2vcj7fmsvnd0nx",
      "age1y77klmphlgpw7ysdg49466dnlcvgzefwsf0a77jmdvxx29a7tdqszed25q", # ERROR: Invalid value
      var.mine, # ERROR: Invalid value
      "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", # ERROR: Invalid value
      "ssh-dss AAAAB3NzaC1kc3MAAACBAP", # ERROR: Invalid value
      "", # ERROR: Invalid value
      "dba@example.org", # ERROR: Invalid value
      "AGE-SECRET-KEY-1HUNTER2hunter2", # ERROR: Invalid value
    ]
  }
}

job "number" {
  encrypt {
    recipients = "age104y60w0sa3se0c80rzuwh39y7tra32edmyrczaczddet2vcj7fmsvnd0nx" # ERROR: Wrong type
  }
}

job "missing" {
  encrypt {
    recipients      = ["age104y60w0sa3se0c80rzuwh39y7tra32edmyrczaczddet2vcj7fmsvnd0nx"]
    recipients_file = "testdata/invalid/no-such-file.txt" # ERROR: File not readable
  }
}

job "comments" {
  encrypt {
    recipients_file = "testdata/invalid/recipients-none.txt" # ERROR: Invalid value
  }
}

job "line" {
  encrypt {
    recipients_file = "testdata/invalid/recipients-bad.txt" # ERROR: Invalid value
  }
}

job "mixed" {
  encrypt { # ERROR: Conflicting attributes
    recipients      = ["age104y60w0sa3se0c80rzuwh39y7tra32edmyrczaczddet2vcj7fmsvnd0nx"]
    recipients_file = "testdata/invalid/recipients-pq.txt"
  }
}
