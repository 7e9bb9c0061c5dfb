"""What an operator may see and do. The API, the dashboard and the scripts are its faces."""
