# What `make demo` runs: the copy is made by the server itself with CLONE LOCAL,
# and every page is verified while it is compressed.

variable "socket" {
  description = "socket of the server to back up"
  default     = env("RUNNER_SOCKET", "/run/mysqld/mysqld.sock")
}

variable "user" {
  description = "account of the backup"
  default     = env("RUNNER_USER", "backup")
}

variable "password" {
  description = "password of the account"
  sensitive   = true
  default     = env("RUNNER_DEMO_PASSWORD", "")
}

variable "staging" {
  description = "folder that mysqld may write to"
  default     = "/var/tmp"
}

variable "repository" {
  description = "folder of the backups"
  default     = "/srv/backups"
}

source "mysql" "demo" {
  socket   = var.socket
  user     = var.user
  password = var.password
}

repository "local" "disk" {
  path = var.repository
}

job "demo" {
  source     = source.mysql.demo
  repository = repository.local.disk
  labels     = { env = "demo", team = "dba" }
  timeout    = "1h"

  check {
    min_free = "1%"
  }

  clone {
    mode      = "local"
    directory = var.staging
  }

  compress {
    format = "zstd"
  }

  checksum {
    pages = "error"
  }
}
