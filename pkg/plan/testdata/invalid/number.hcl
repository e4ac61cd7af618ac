locals {
  a = 1e999999999 # ERROR: Too complex
}
