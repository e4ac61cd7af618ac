source "mysql" "s" {
  socket = "/s"
  user   = "u"
}

repository "local" "r" {
  path = "/r"
}

job "proved" {
  source     = source.mysql.s
  repository = repository.local.r

  prove { # ERROR: Not supported by this version
    enabled = "yes and no" # ERROR: Wrong type

    assert "no negative stock" { # ERROR: Missing attribute
      query = "SELECT 1"
    }
  }
}
