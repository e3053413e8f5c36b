"""Addresses that somebody writes who wants our network and not theirs."""

REFUSED_V4 = """
0.0.0.0 0.0.0.1 0.1.2.3 0.255.255.255 10.0.0.0 10.0.0.1 10.1.2.3 10.96.0.1 10.255.255.255 100.64.0.0 100.64.0.1
100.100.100.200 100.127.255.255 127.0.0.0 127.0.0.1 127.0.0.2 127.0.1.1 127.1.2.3 127.127.127.127 127.255.255.254
127.255.255.255 168.63.129.16 169.254.0.0 169.254.0.1 169.254.1.1 169.254.169.123 169.254.169.249 169.254.169.253
169.254.169.254 169.254.170.2 169.254.170.23 169.254.255.255 172.16.0.0 172.16.0.1 172.17.0.1 172.18.0.1 172.20.10.1
172.31.0.2 172.31.255.255 192.0.0.0 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.171 192.0.0.192 192.0.0.255 192.0.2.1
192.0.2.255 192.31.196.1 192.52.193.1 192.88.99.1 192.88.99.255 192.168.0.0 192.168.0.1 192.168.1.1 192.168.49.2
192.168.65.2 192.168.99.100 192.168.122.1 192.168.255.255 192.175.48.1 198.18.0.0 198.18.0.1 198.19.255.255
198.51.100.1 198.51.100.255 203.0.113.0 203.0.113.1 203.0.113.255 224.0.0.0 224.0.0.1 224.0.0.251 224.0.1.129
232.1.2.3 233.252.0.1 239.255.255.250 239.255.255.255 240.0.0.0 240.0.0.1 250.1.2.3 255.255.255.254 255.255.255.255
""".split()

REFUSED_V6 = """
:: ::1 ::2 ::7f00:1 ::127.0.0.1 ::10.0.0.1 ::169.254.169.254 ::8.8.8.8 ::ffff:0.0.0.0 ::ffff:127.0.0.1
::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:a00:1 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:192.168.1.1
::ffff:100.64.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:0:10.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1
64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b::8.8.8.8 64:ff9b:1::1 64:ff9b:1::127.0.0.1
64:ff9b:1:fffe::10.0.0.1 100:: 100::1 100:0:0:1::1 2001::1 2001::7f00:1 2001:0:7f00:1::1 2001:0:53aa:64c::1
2001:1::1 2001:1::2 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:1f:ffff::1 2001:20::1 2001:2f::1 2001:30::1
2001:db8::1 2001:db8:ffff::1 2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 2002:a9fe:a9fe:: 2002:c0a8:101::1
2002:6440:1::1 2002:808:808::1 2620:4f:8000::1 3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 8000::1 a000::1 c000::1
e000::1 fc00:: fc00::1 fc00:1234::1 fd00::1 fd00:ec2::254 fd12:3456:789a::1 fd20:ce::254 fdff:ffff::1 fe00::1
fe80:: fe80::1 fe80::a9fe:a9fe fe80::5efe:127.0.0.1 febf:ffff::1 fec0::1 fec0:0:0:ffff::1 feff::1 ff00::1 ff01::1
ff02::1 ff02::2 ff02::fb ff05::1:3 ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
""".split()

DISGUISED = """
2130706433 017700000001 0x7f000001 0x7F000001 0x7f.0x0.0x0.0x1 0x7f.1 0177.0.0.1 0177.0.0.01 00177.0.0.1
0000000000000000000000000177.0.0.1 127.1 127.0.1 127.00.0.1 127.0.0.01 127.0.0.001 127.0.0.0x1 127.0x0.0.1
127.000.000.001 017.1 10.1 10.0.1 012.0.0.1 0xa.0.0.1 0xa000001 167772161 0 00 0x0 0x 1 3232235777 0xc0a80101
030052000401 0xa9fea9fe 2852039166 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe 169.254.43518 169.16689662 0251.254.169.254
169.254.169.0xfe 0xA9FEA9FE 4294967295 4294967296 99999999999 256.0.0.1 1.2.3.256 1.2.3.4.5 1.2.3 8.8.8 8.8
127.0.0.1. 127.0.0.1.. 169.254.169.254. 10.0.0.1. localhost. metadata.google.internal. example.org. .example.org
example..org -example.org example-.org ex_ample.org localhost LOCALHOST LocalHost foo.localhost a.b.localhost
localhost.localdomain.localhost ip6-localhost kubernetes postgres valkey redis rabbitmq kafka host gateway intranet
metadata metadata.google.internal METADATA.GOOGLE.INTERNAL instance-data.ec2.internal host.docker.internal
gateway.docker.internal kubernetes.docker.internal db.internal a.internal printer.local router.lan nas.home
x.corp x.private x.intranet gate.home.arpa 1.0.0.127.in-addr.arpa 1.0.0.0.ip6.arpa duskgytldkxiuqc6.onion
[::1] [::] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::ffff:127.0.0.1] [::FFFF:7F00:1]
[::ffff:0x7f.0.0.1] [::ffff:0177.0.0.1] [::127.0.0.1] [fe80::1%25lo] [fe80::1%lo] [::1%25] [fd00:ec2::254]
[64:ff9b::169.254.169.254] [2002:7f00:1::] [127.0.0.1] [localhost] [8.8.8.8] [] [:] [::1 ::1] ::1 [::1].example.org
[v1.127.0.0.1] [2606:4700::1111]x 127.0.0.1%2e %31%32%37.0.0.1 127%2e0.0.1 127.0.0.1%00.example.org
example.org%00.evil.org example.org%2f@127.0.0.1 127.0.0.1%0d%0aX-Y:1
""".split()
"""Hosts that some parser reads as an address inside, or as another host than it seems."""

UNICODE = [
    "127。0。0。1",  # the ideographic full stop
    "127\uff0e0\uff0e0\uff0e1",  # the full-width full stop
    "127\uff610\uff610\uff611",  # the half-width full stop
    "\uff11\uff12\uff17.0.0.1",  # full-width digits
    "①②⑦.⓪.⓪.①",
    "𝟏𝟐𝟕.0.0.1",
    "ⓛocalhost",
    "ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ",
    "loc\u00adalhost",  # a soft hyphen
    "localhost\u200b",  # a space without width
    "\u202e127.0.0.1",
    "exa\u0301mple.org",
    "еxample.org",  # the first letter is Cyrillic
    "example\u2024org",
    "١٢٧.0.0.1",
    "example.org\u2215@127.0.0.1",
]

URLS = [
    "http://example.org/",
    "HTTP://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/",
    "ldap://127.0.0.1/",
    "unix:///var/run/docker.sock",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "jar:https://example.org!/",
    "netdoc:///etc/passwd",
    "ws://example.org/",
    "wss://example.org/",
    "https:example.org",
    "https:/example.org/",
    "https:///example.org/",
    "https:////example.org/",
    "//example.org/",
    "example.org",
    "",
    "https://",
    "https:///",
    "https://?",
    "https://#",
    "https://user@example.org/",
    "https://user:password@example.org/",
    "https://:@example.org/",
    "https://@example.org/",
    "https://example.org@127.0.0.1/",
    "https://127.0.0.1@example.org/",
    "https://example.org:443@127.0.0.1/",
    "https://example.org%40127.0.0.1/",
    "https://example.org\\@127.0.0.1/",
    "https://127.0.0.1\\.example.org/",
    "https://example.org\\.evil.org/",
    "https:\\\\127.0.0.1\\",
    "https://example.org#@127.0.0.1/",
    "https://example.org/#fragment",
    "https://127.0.0.1#.example.org/",
    "https://127.0.0.1?.example.org/",
    "https://127.0.0.1/.example.org/",
    "https://127.0.0.1;.example.org/",
    "https://127.0.0.1,example.org/",
    "https://example.org,127.0.0.1/",
    "https://example.org 127.0.0.1/",
    " https://example.org/",
    "https://example.org/ ",
    "https://exam ple.org/",
    "https://example.org/\r\nX-Injected: 1",
    "https://example.org\r\n/",
    "https://example.org\n.evil.org/",
    "https://example.org/\x00",
    "https://example.org\x00.evil.org/",
    "https://example\t.org/",
    "ht\ntps://example.org/",
    "https://example.org/\x7f",
    "https://example.org/<script>",
    'https://example.org/"',
    "https://example.org/é",
    "https://example.org/%",
    "https://example.org/%zz",
    "https://example.org/[x]",
    "https://example.org:0/",
    "https://example.org:1/",
    "https://example.org:22/",
    "https://example.org:25/",
    "https://example.org:80/",
    "https://example.org:0443/",
    "https://example.org:5432/",
    "https://example.org:6379/",
    "https://example.org:8080/",
    "https://example.org:9200/",
    "https://example.org:65536/",
    "https://example.org:99999/",
    "https://example.org:-1/",
    "https://example.org:+443/",
    "https://example.org:443:443/",
    "https://example.org:4 43/",
    "https://example.org:443a/",
    "https://example.org:/",
    "https://example.org:٤٤٣/",
    "https://*.example.org/",
    "https://$(hostname)/",
    "https://{host}/",
    "https://127.0.0.1:8443/",
    "https://[::1]:8443/",
    "https://[::1]443/",
    "https://[::1/",
    "https://::1]/",
    "https://" + "a" * 64 + ".org/",
    "https://" + ".".join(["a" * 60] * 5) + ".org/",
    "https://example.org/" + "a" * 2000,
]
"""Whole URLs that are refused as they stand."""


def all_urls() -> list[str]:
    """Every hostile address as a URL."""
    literal = [f"https://{address}/hook" for address in REFUSED_V4]
    literal += [f"https://[{address}]/hook" for address in REFUSED_V6]
    return list(dict.fromkeys([*literal, *(f"https://{host}/hook" for host in (*DISGUISED, *UNICODE)), *URLS]))
