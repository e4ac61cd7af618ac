# From any machine that reaches the server: the copy comes over the clone
# protocol right into the archive. No staging directory, no files of the server
# to be read, no MySQL on this side.

variable "host" {
  description = "host of the server"
  default     = env("RUNNER_HOST", "db1.example.org")
}

variable "port" {
  type        = number
  description = "port of the server"
  default     = env("RUNNER_PORT", "3306")
}

variable "password" {
  description = "password of the account"
  sensitive   = true
  default     = env("RUNNER_PASSWORD", "")
}

variable "repository" {
  description = "folder of the backups"
  default     = "/srv/backups"
}

source "mysql" "main" {
  host     = var.host
  port     = var.port
  user     = "backup"
  password = var.password
}

repository "local" "disk" {
  path = var.repository
}

job "stream" {
  source     = source.mysql.main
  repository = repository.local.disk

  clone {
    mode              = "stream"
    threads           = 4      # connections that carry data
    network_bandwidth = "200M" # while files are copied
  }
}
