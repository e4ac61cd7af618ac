# One job for each element of a map. Their addresses are job.tier["fast"] and
# job.tier["small"].

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

locals {
  formats = {
    fast  = { format = "lz4", level = 1 }
    small = { format = "zstd", level = 6 }
  }
}

job "tier" {
  for_each   = local.formats
  source     = source.mysql.main
  repository = repository.local.disk
  labels     = { tier = each.key, codec = upper(each.value.format) }

  clone {
    mode      = "local"
    directory = var.staging
  }

  compress {
    format = each.value.format
    level  = each.value.level
  }
}

job "last" {
  source     = source.mysql.main
  repository = repository.local.disk
  depends_on = [job.tier]

  clone {
    mode      = "local"
    directory = var.staging
  }

  compress {
    format = "none"
  }
}
