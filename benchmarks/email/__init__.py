"""Our mailer beside Nodemailer's pool."""
