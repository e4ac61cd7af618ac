job "x" { # ERROR: Duplicate definition
  source     = source.mysql.s
  repository = repository.local.r

  clone {
    directory = "/d"
  }
}
