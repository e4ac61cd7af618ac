source "mysql" "main" {
  host = "db1"
  user = "u"
}

source "mysql" "again" {
  host = "db1"
  port = 3306
  user = "v"
}

source "mysql" "socket" {
  socket = "/s"
  user   = "u"
}

source "mysql" "v6" {
  host = "fe80::1"
  user = "u"
}

source "mysql" "spare" {
  socket = "/spare"
  user   = "u"
}

repository "local" "r" {
  path = "/r"
}

job "nobody" {
  source     = source.mysql.main
  repository = repository.local.r

  clone {               # ERROR: Missing attribute
    mode = "remote"     # ERROR: Missing attribute
  }
}

job "itself" {
  source     = source.mysql.main
  repository = repository.local.r

  clone {
    mode      = "remote"
    directory = "/staging"
    recipient = source.mysql.main # ERROR: Conflicting attributes
  }
}

job "itself-again" {
  source     = source.mysql.main
  repository = repository.local.r

  clone {
    mode      = "remote"
    directory = "/staging"
    recipient = source.mysql.again # ERROR: Conflicting attributes
  }
}

job "by-socket" {
  source     = source.mysql.socket # ERROR: Conflicting attributes
  repository = repository.local.r

  clone {
    mode      = "remote"
    directory = "/staging"
    recipient = source.mysql.spare
  }
}

job "by-ipv6" {
  source     = source.mysql.v6 # ERROR: Conflicting attributes
  repository = repository.local.r

  clone {
    mode      = "remote"
    directory = "/staging"
    recipient = source.mysql.spare
  }
}

job "local" {
  source     = source.mysql.main
  repository = repository.local.r

  clone {
    mode              = "local"
    directory         = "/staging"
    recipient         = source.mysql.spare # ERROR: Conflicting attributes
    network_bandwidth = "50M"              # ERROR: Conflicting attributes
  }
}

job "auto" {
  source     = source.mysql.main
  repository = repository.local.r

  clone {
    directory         = "/staging"
    recipient         = source.mysql.again # ERROR: Conflicting attributes
    network_bandwidth = "512K"             # ERROR: Invalid value
  }
}

job "no-source" {
  source     = source.mysql.main
  repository = repository.local.r

  clone {
    mode      = "remote"
    directory = "/staging"
    recipient = repository.local.r # ERROR: Wrong type
  }
}
