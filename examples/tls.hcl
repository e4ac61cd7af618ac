# A server over TCP, encrypted, with the password in a file of its own. In mode
# local the runner must be on the server's host all the same.

variable "host" {
  description = "host name or address of the server"
  default     = env("RUNNER_HOST", "127.0.0.1")
}

variable "port" {
  type        = number
  description = "TCP port of the server"
  default     = env("RUNNER_PORT", "3306")
}

variable "user" {
  description = "account of the backup"
  default     = env("RUNNER_USER", "backup")
}

variable "password_file" {
  description = "file whose first line is the password"
  default     = env("RUNNER_PASSWORD_FILE", "/etc/runner/password")
}

variable "tls_mode" {
  description = "required, verify-ca or verify-identity"
  default     = "required"

  validation {
    condition     = var.tls_mode != "disabled" && var.tls_mode != "preferred"
    error_message = "this plan is for connections that are encrypted for certain"
  }
}

variable "ca_file" {
  type        = string
  description = "certificates to trust, with verify-ca and verify-identity"
  default     = null
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
  host          = var.host
  port          = var.port
  user          = var.user
  password_file = var.password_file

  tls {
    mode    = var.tls_mode
    ca_file = var.ca_file
  }
}

repository "local" "disk" {
  path = var.repository
}

job "tls" {
  source     = source.mysql.main
  repository = repository.local.disk

  clone {
    mode      = "local"
    directory = var.staging
  }
}
