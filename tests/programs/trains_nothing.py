"""No torch, no training."""

print("hello")
