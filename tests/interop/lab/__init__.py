"""The end-to-end lab: real DNS, HTTPS, SMTP servers and strictmxd in namespaces of their own."""
