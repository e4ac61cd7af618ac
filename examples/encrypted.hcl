# An archive that only those can read who have the secret key of one of the
# recipients. The runner has none: keep them elsewhere, and more than one.
#
#   age-keygen -o key.txt       prints the recipient that belongs in here
#   runner restore encrypted@latest --plan encrypted.hcl --identity key.txt --to DIR

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

variable "recipient" {
  description = "age recipient of the operations team"
  default     = env("RUNNER_RECIPIENT", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")
}

variable "recipients_file" {
  description = "file of further recipients, one a line"
  default     = null
}

source "mysql" "main" {
  socket   = var.socket
  user     = var.user
  password = var.password
}

repository "local" "disk" {
  path = var.repository
}

job "encrypted" {
  source     = source.mysql.main
  repository = repository.local.disk

  clone {
    directory = var.staging
  }

  encrypt {
    recipients = [
      var.recipient,
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9rs5lofsqw8ZLiLU8Rw9rjiIDHOZFHFnh9BJ0U4LuL dba@example.org",
    ]
    recipients_file = var.recipients_file
  }

  checksum {
    read_back = true # the stored bytes: decrypting them takes a secret key
  }
}
