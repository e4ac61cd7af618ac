locals {
  names = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc", "dddddddddd", "eeeeeeeeee", "ffffffffff", "gggggggggg", "hhhhhhhhhh"]
  fine  = [for a in local.names : [for b in local.names : "${a}${b}"]]
  lines = [for l in split("\n", file("x")) : l] # ERROR: Too complex
  tries = try(try(try(try(try(try(try(1))))))) # ERROR: Too complex
}
