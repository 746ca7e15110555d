"""What tests share: private servers, and helpers around them."""
