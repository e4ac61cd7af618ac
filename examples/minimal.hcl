# The least that a plan says: a server, a place for backups, and where the
# server may put its copy in the meantime.

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

job "minimal" {
  source     = source.mysql.main
  repository = repository.local.disk
  clone {
    directory = var.staging
  }
}
