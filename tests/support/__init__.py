"""What tests share: processes, servers, made-up files."""
