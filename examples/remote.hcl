# A second server pulls the copy over the network, and the runner packs it on
# that server's host: the first server's disk and CPU are spared. The second
# server's own data is not touched.

variable "host" {
  description = "host of the server to back up, as the second server reaches it"
  default     = env("RUNNER_HOST", "127.0.0.1")
}

variable "port" {
  type        = number
  description = "its TCP port"
  default     = env("RUNNER_PORT", "3306")
}

variable "password" {
  description = "password of its account, which the second server logs in with too"
  sensitive   = true
  default     = env("RUNNER_PASSWORD", "")
}

variable "spare_socket" {
  description = "socket of the second server, which is on this host"
  default     = env("RUNNER_SPARE_SOCKET", "/run/mysqld/mysqld.sock")
}

variable "spare_password" {
  description = "password of the account on the second server"
  sensitive   = true
  default     = env("RUNNER_SPARE_PASSWORD", "")
}

variable "staging" {
  description = "folder that the second server may write to"
  default     = "/var/tmp"
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

  tls {
    mode = "required" # the recipient is told REQUIRE SSL
  }
}

source "mysql" "spare" {
  socket   = var.spare_socket
  user     = "puller"
  password = var.spare_password
}

repository "local" "disk" {
  path = var.repository
}

job "remote" {
  source     = source.mysql.main
  repository = repository.local.disk

  clone {
    mode              = "remote"
    recipient         = source.mysql.spare
    directory         = var.staging
    network_bandwidth = "100M"
  }
}
