"""Sends one mail: SMTP is a protocol in which the server speaks first.

usage: send-mail.py HOST PORT TEXT
"""

import smtplib
import sys

with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), local_hostname="web.shop", timeout=5) as server:
    server.sendmail("web@shop.example", ["api@pay.example"], f"Subject: demo\r\n\r\n{sys.argv[3]}\r\n")
