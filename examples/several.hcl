# Several jobs: what they share is in defaults, and weekly starts only after
# daily has succeeded.

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

variable "archive" {
  description = "folder of the backups that are kept for long"
  default     = "/srv/archive"
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

repository "local" "archive" {
  path = var.archive
}

defaults {
  source     = source.mysql.main
  repository = repository.local.disk
  timeout    = "6h"

  clone {
    mode      = "local"
    directory = var.staging
  }

  compress {
    format = "zstd"
    level  = 3
  }
}

job "daily" {
  labels = { keep = "week" }
}

job "weekly" {
  repository = repository.local.archive
  depends_on = [job.daily]
  labels     = { keep = "year" }

  compress {
    level = 9 # the rest of the block is that of defaults
  }
}
