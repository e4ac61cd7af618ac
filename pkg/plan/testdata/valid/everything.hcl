variable "token" {
  type      = string
  sensitive = true
  default   = env("TEST_SECRET")
}

variable "hosts" {
  type    = map(string)
  default = { eu = "db-eu", us = "db-us" }

  validation {
    condition     = length(var.hosts) > 0
    error_message = "no host"
  }
}

variable "nothing" {
  type    = string
  default = null
}

locals {
  root   = "/srv/${local.name}"
  name   = lower(trimspace(" MySQL "))
  parts  = split(",", "a,b")
  all    = concat(local.parts, ["c"])
  merged = merge({ a = "1" }, { b = "2" })
  count  = length(local.all) + length("héé") + length(local.merged)
  text   = format("%s-%03d", join("+", local.all), local.count)
  first  = coalesce(var.nothing, "", "first")
  tried  = try(local.merged.c, "tried")
  looked = lookup(local.merged, "a", "x")
  json   = jsondecode("{\"k\": [1, 2]}").k[1]
  when   = formatdate("YYYY-MM-DD", timestamp())
  host   = upper(hostname())
  base   = "${basename("/a/b")}${dirname("/a/b")}${abspath("x")}"
  keys   = join("", keys(local.merged))
  values = join("", values(local.merged))
  swap   = replace("a.b", ".", "-")
  file   = trimspace(file("testdata/valid/text.txt"))
  env    = env("NOT_SET", "default")
  plain  = "100% $${literal} %%{x}"
}

source "mysql" "eu" {
  host     = "db-eu"
  user     = "backup"
  password = "${var.token}!"

  tls {
    mode      = "verify-ca"
    ca_file   = "/etc/ca.pem"
    cert_file = "/etc/cert.pem"
    key_file  = "/etc/key.pem"
  }
}

source "mysql" "us" {
  host          = "::1"
  port          = 3307
  user          = "backup"
  password_file = "~/password"
}

source "mysql" "spare" {
  defaults_file = "my.cnf"
}

repository "local" "nas" {
  path = local.root
}

defaults {
  source     = source.mysql.eu
  repository = repository.local.nas
  labels     = { from = "defaults" }

  clone {
    directory = "/var/tmp/./clone/"
    threads   = 4
  }

  compress {
    level = 9
  }

  encrypt {
    recipients = ["age1y77klmphlgpw7ysdg49466dnlcvgzefwsf0a77jmdvxx29a7tdqszed25x"]
  }
}

job "base" {
  timeout = "1d12h"

  clone {
    mode        = "local"
    mounted_at  = "/mnt/clone"
    bandwidth   = "100MiB/s"
    threads     = 0
    ddl         = "block"
    ddl_timeout = "5m"
    keep        = true
  }

  checksum {
    read_back = true
  }
}

job "each" {
  for_each   = var.hosts
  source     = source.mysql[each.key]
  depends_on = [job.base]
  labels     = { host = each.value, n = 1, t = true }

  compress {
    format  = "gzip"
    threads = 2
  }

  check {
    lost_tables = "warn"
    min_free    = "20G"
    plugin      = "install"
  }
}

job "after" {
  source     = source.mysql.spare
  depends_on = [job.each["us"], job.base]
  timeout    = "90s"

  compress {
    format = "none"
  }

  encrypt {
    recipients_file = "testdata/valid/recipients.txt"
  }

  metadata {
    annotations = {
      text = local.text, first = local.first, tried = local.tried, looked = local.looked, json = local.json,
      when = local.when, host = local.host, base = local.base, keys = local.keys, values = local.values,
      swap = local.swap, file = local.file, env = local.env, plain = local.plain
    }
  }
}

job "set" {
  for_each = ["x", "y z"]
  depends_on = [job.each]

  compress {
    format = "lz4"
  }
}
