# What a stream has no use for, and what only a stream has.

source "mysql" "s" {
  socket = "/s"
  user   = "u"
}

repository "local" "r" {
  path = "/r"
}

job "stream" {
  source     = source.mysql.s
  repository = repository.local.r

  clone {
    mode       = "stream"
    directory  = "/var/tmp" # ERROR: Conflicting attributes
    mounted_at = "/mnt"     # ERROR: Conflicting attributes
    bandwidth  = "10M"      # ERROR: Conflicting attributes
    keep       = true       # ERROR: Conflicting attributes

    network_compression = "lz4" # ERROR: Invalid value
  }
}

job "local" {
  source     = source.mysql.s
  repository = repository.local.r

  clone {
    mode              = "local"
    directory         = "/var/tmp"
    network_bandwidth = "10M" # ERROR: Conflicting attributes
    network_compression = "zstd" # ERROR: Conflicting attributes
  }
}
