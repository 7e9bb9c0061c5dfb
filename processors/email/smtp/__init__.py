"""The mailer over SMTP: connections, what a server's answers mean, and when it is left alone."""
