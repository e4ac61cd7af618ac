# A server that has a few tables that are not InnoDB, and no clone plugin: the
# tables are reported and copied empty, the plugin is installed for as long as
# the job runs. The staging directory is kept for a look at it.

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
  default     = env("RUNNER_PASSWORD", "")
}

variable "staging" {
  description = "folder that mysqld may write to"
  default     = "/var/tmp"
}

variable "ticket" {
  type        = string
  description = "ticket that the backup is for"
  default     = "OPS-1234"
}

variable "repository" {
  description = "folder of the backups"
  default     = "/srv/backups"
}

source "mysql" "main" {
  socket   = var.socket
  user     = var.user
  password = var.password
}

repository "local" "disk" {
  path = var.repository
}

job "lenient" {
  source     = source.mysql.main
  repository = repository.local.disk

  check {
    lost_tables = "ignore"
    min_free    = "0%"
    plugin      = "install"
  }

  clone {
    mode      = "local"
    directory = var.staging
    keep      = true
  }

  compress {
    format = "lz4"
  }

  checksum {
    pages = "warn"
  }

  metadata {
    annotations = {
      ticket = var.ticket
      title  = format("backup of %s for %s", var.socket, lower(var.ticket))
    }
  }
}
