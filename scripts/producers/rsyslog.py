"""The log of a machine, published by rsyslogd.

Package: Debian's rsyslog and rsyslog-czmq (its omczmq output).
Socket:  PUB, bound by rsyslogd.
Frames:  two: topic, and the log line as JSON.
Topics:  FACILITY.SEVERITY.PROGRAM, by a template of ours; omczmq can as well put the topic and the
         line into one frame.

A second rsyslogd with a configuration, folder and input socket of its own: that of the machine,
if there is one, is not touched. `logger` feeds it.
"""

import pathlib
import random
import re
import subprocess
import tempfile
import time

import recorder

CONFIGURATION = """
global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
module(load="omczmq")
input(type="imuxsock" Socket="{folder}/log" RateLimit.Interval="0")

template(name="topic" type="string"
  string="%syslogfacility-text%.%syslogseverity-text%.%programname%")
template(name="line" type="list" option.jsonf="on") {
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="program" name="programname" format="jsonf")
  property(outname="pid" name="procid" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}

action(type="omczmq" socktype="PUB" endpoints="@{endpoint}"
  topics="topic" topicframe="on" dynatopic="on" template="line")
"""

LINES = [
    ("auth.info", "sshd", "Accepted publickey for deploy from 192.0.2.17 port 50122 ssh2"),
    ("auth.warning", "sshd", "Failed password for invalid user admin from 198.51.100.4 port 39210"),
    ("authpriv.alert", "sudo", "deploy : command not allowed ; COMMAND=/bin/sh"),
    ("cron.info", "CRON", "(root) CMD (command -v debian-sa1 > /dev/null)"),
    ("daemon.notice", "chronyd", "Selected source 203.0.113.9"),
    ("daemon.err", "smartd", "Device: sda, 8 Currently unreadable (pending) sectors"),
    ("local3.crit", "thermald", "CPU0: Core temperature above threshold, cpu clock throttled"),
    ("local0.debug", "app", '{"level":"debug","said":"a line that is JSON in \\"quotes\\""}'),
    ("local0.info", "app", "Grüße aus Köln, привет, 你好, 🦓"),
    ("local7.emerg", "app", "tab\tand a long line " + "~" * 3000),
    ("mail.info", "postfix/smtpd", "connect from unknown[203.0.113.80]"),
    ("user.notice", "backup", "finished, 0 errors"),
]


def publish(endpoint):
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder, "rsyslog.conf")
        text = CONFIGURATION.replace("{folder}", folder).replace("{endpoint}", endpoint)
        configuration.write_text(text)
        # -n: stay in the foreground; -C: leave the working directory alone.
        daemon = subprocess.Popen(
            ["rsyslogd", "-n", "-C", "-f", configuration, "-i", f"{folder}/pid"]
        )

        def log(priority, program, line):
            subprocess.run(
                ["logger", "--socket", f"{folder}/log", "--socket-errors=on", "--id=4711"]
                + ["--size", "8KiB", "--priority", priority, "--tag", program, "--", line],
                check=True,
            )

        try:
            while not pathlib.Path(folder, "log").exists():
                if daemon.poll() is not None:
                    raise SystemExit("rsyslogd ended early")
                time.sleep(0.05)
            while not recorder.is_listening(0.2):
                log("syslog.info", "logger", "is anybody listening?")
            chance = random.Random(1)
            for count in range(400):
                priority, program, line = chance.choice(LINES)
                log(priority, program, line.replace("0 errors", f"{count} errors"))
                time.sleep(chance.expovariate(100))
        finally:
            daemon.terminate()
            daemon.wait(timeout=20)


def label():
    """The version of rsyslogd, which says it in its first line."""
    text = subprocess.run(["rsyslogd", "-v"], capture_output=True, text=True, check=True).stdout
    return "rsyslog-" + re.match(r"rsyslogd\s+(\S+)", text)[1]


recorder.main(publish, label)
