source "mysql" "main" {
  host = "db1"
  user = "backup"

  tls {
    mode = "required"
  }
}

source "mysql" "spare" {
  socket = "/run/mysqld/spare.sock"
  user   = "root"
}

repository "local" "nas" {
  path = "/srv/backups"
}

defaults {
  source     = source.mysql.main
  repository = repository.local.nas

  clone {
    mode              = "remote"
    directory         = "/var/tmp/clone"
    recipient         = source.mysql.spare
    network_bandwidth = "50M"
  }
}

job "remote" {
}

# Of what defaults say for mode remote, a job of another mode takes nothing.
job "local" {
  clone {
    mode = "local"
  }
}

# A stream takes what is limited, and what is compressed, on the way.
job "stream" {
  clone {
    mode                = "stream"
    network_compression = "zstd"
  }
}

# Which it is going to be is not known: all that any of them takes is kept.
job "auto" {
  clone {
    mode                = "auto"
    directory           = "/d"
    network_bandwidth   = 0
    network_compression = "zstd"
  }
}
