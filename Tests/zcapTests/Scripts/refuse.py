"""refuse.py: listens on a free TCP port, prints its endpoint, and answers everybody as a web server
does that understands nothing, then hangs up."""

import socket


def main():
    server = socket.create_server(("127.0.0.1", 0))
    print(f"tcp://127.0.0.1:{server.getsockname()[1]}", flush=True)
    while True:
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()


main()
