# Address and account come from the group [client] of a MySQL option file, so
# that the plan holds neither.

variable "defaults_file" {
  description = "MySQL option file with a group [client]"
  default     = env("RUNNER_DEFAULTS_FILE", "~/.my.cnf")
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
  defaults_file = var.defaults_file
}

repository "local" "disk" {
  path = var.repository
}

job "defaults-file" {
  source     = source.mysql.main
  repository = repository.local.disk

  clone {
    mode      = "local"
    directory = var.staging
  }

  metadata {
    annotations = { host = hostname() }
  }
}
