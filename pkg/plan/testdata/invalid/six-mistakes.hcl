variable "password" {
  sensitive = true
  default   = "hunter2-default"
}

source "mysql" "orders" {
  host     = "127.0.0.1"
  port     = 70000 # ERROR: Invalid value
  user     = "backup"
  password = var.password
}

repository "local" "nas" {
  path = "/srv/backups"
}

job "orders" {
  source     = source.mysql.ordres # ERROR: Undefined reference
  repository = repository.local.nas
  timeot     = "6h" # ERROR: Unknown attribute
  labels     = { owner = var.password } # ERROR: Sensitive value

  clone {
    mode      = "local"
    directory = "/var/tmp/clone"
    bandwidth = "100 apples" # ERROR: Invalid value
  }

  compres { # ERROR: Unknown block
    format = "zstd"
  }
}
