# A backup that leaves the server room to work: at most 200 MiB of data are read
# a second, by at most two threads, and the archive is read back once more.

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

job "bandwidth" {
  source     = source.mysql.main
  repository = repository.local.disk

  check {
    lost_tables = "warn"
    min_free    = "1G"
  }

  clone {
    mode        = "local"
    directory   = var.staging
    bandwidth   = "200MiB/s"
    threads     = 2
    ddl         = "allow"
    ddl_timeout = "5m"
  }

  compress {
    format    = "gzip"
    level     = 6
    threads   = 2
    bandwidth = "100M"
  }

  checksum {
    read_back = true
  }
}
