"""Good policy hosts: one real nginx, a certificate of its own for each mta-sts.DOMAIN, picked by SNI. It also takes reports
for a server behind it.

A policy can be replaced or removed at any time: nginx reads the file and the certificate for each connection.
"""

from .network import POLICY_HOST, REPORT_RECEIVER_PREFIX, WORLD
from .processes import Process, run
from .report_receiver_server import PLAIN_PORT
from .report_receiver_server import address_of as receiver_address
from .testing import wait_until

NGINX_CONF = """\
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
daemon off;
events {{ worker_connections 4096; }}
http {{
  log_format host_and_status '$host $status';
  access_log {folder}/nginx-access.log host_and_status;
  client_body_temp_path {folder}/temp;
  proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/temp;
  uwsgi_temp_path {folder}/temp;
  scgi_temp_path {folder}/temp;
  default_type text/plain;
  server {{
    listen {address}:443 ssl backlog=4096;
    listen {report_address}:443 ssl;
    server_name _;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {certificates}/good/$ssl_server_name.pem;
    ssl_certificate_key {certificates}/good/$ssl_server_name.pem;
    location = /.well-known/mta-sts.txt {{ root {folder}/www/$host; }}
    location /reports/ {{ proxy_pass http://{report_server}; }}
    location / {{ return 404; }}
  }}
}}
"""


class PolicyHosts:
    def __init__(self, folder, certificates):
        self._folder = folder
        self._certificates = certificates
        (folder / "www").mkdir(parents=True)
        conf = folder / "nginx.conf"
        conf.write_text(
            NGINX_CONF.format(
                folder=folder,
                address=POLICY_HOST,
                certificates=certificates.folder,
                report_address=receiver_address(REPORT_RECEIVER_PREFIX, "nginx"),
                report_server=f"{receiver_address(REPORT_RECEIVER_PREFIX, 'plain')}:{PLAIN_PORT}",
            ),
            encoding="ascii",
        )
        self._process = Process(
            "nginx",
            ["nginx", "-p", folder, "-c", conf, "-e", folder / "nginx-error.log"],
            folder / "nginx.log",
            WORLD,
        )
        wait_until(
            lambda: run(["ss", "-N", WORLD, "-Hltn", "sport", "=", ":443"]).strip(),
            20,
            "nginx listens",
        )

    def serve(self, domain, policy_text, chain_file=None):
        """Serves this text for the domain (None: nothing, so 404)."""
        host = f"mta-sts.{domain}"
        if chain_file is None:
            self._certificates.chain_file(host)
        elif not (self._certificates.folder / "good" / f"{host}.pem").exists():
            self._certificates.link(host, chain_file)
        page = self._folder / "www" / host / ".well-known" / "mta-sts.txt"
        if policy_text is None:
            page.unlink(missing_ok=True)
            return
        page.parent.mkdir(parents=True, exist_ok=True)
        fresh = page.with_suffix(".new")
        fresh.write_text(policy_text, encoding="ascii")
        fresh.rename(page)

    def requests(self, domain):
        """How many requests for this domain's policy nginx has answered."""
        lines = (self._folder / "nginx-access.log").read_text(encoding="utf-8").splitlines()
        return sum(line.startswith(f"mta-sts.{domain} ") for line in lines)
