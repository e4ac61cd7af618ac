# ERROR NOWHERE: No job
source "mysql" "s" {
  socket = "/s"
  user   = "u"
}
