"""Every byte layout and constant of the tunnel, version 1 (behaviour 2.3; design/tunnel.md).

All numbers are big-endian. A datagram begins with one byte, its type. Handshake messages then
follow `handshake.py`'s Noise layout. Every other message has a header that is authenticated as
associated data, then a body (ciphertext in security mode `encryption`, clear text else) and a tag:

    0   u8   type
    1   u8   flags: 0x07 QoS class, 0x08 copy, 0x10 compressed, 0x20 last segment, 0x40 repaired
    2   u16  session: the number the receiver gave this keypair in the handshake
    4   u64  leg sequence: nonce, replay window, loss; rises by one per datagram of a keypair
   12        end of the header of PROBE, ECHO, HEARING, HEARING_OF, BUNDLE, MTU_PROBE, MTU_ACK
   12   u16  flow
   14   u32  flow sequence
   18        end of the header of PACKET and TRAIN
   18   u16  offset of this slice in the payload of the super-packet it was cut from
   20        end of the header of SEGMENT

PACKET   body: one inner packet.
SEGMENT  body: the inner IP and TCP/UDP headers of the super-packet as the kernel gave them, then
         the slice. The receiver derives their length from the headers themselves, adds `offset` to
         the TCP sequence number, and repairs lengths and checksums.
TRAIN    body: UDP packets that differ as segments of a super-packet do: u16 length of each slice
         but the last, the IP and UDP headers of the first packet with its checksum left open (the
         field has the sum of the pseudo header), then the slices. One flow sequence for all.
BUNDLE   body: for each entry u16 kind and length, u16 flow, u32 flow sequence, then `length` bytes.
         Bits of the u16: 0xE000 kind, 0x1FFF length. Kind 0x0000: one inner packet; 0x8000: one
         whose TCP or UDP checksum is left open; 0x2000: one, compressed; 0x4000: as TRAIN.

The tag is 16 bytes. Data (PACKET, SEGMENT, BUNDLE, TRAIN) of security mode `none` has no tag; every
other message always has one. The nonce of AES-GCM is four zero bytes and the leg sequence: a key
serves one leg, one direction and one handshake only.
"""

import struct
from enum import IntEnum

VERSION = 1


class Type(IntEnum):
    INITIATION = 1
    RESPONSE = 2
    COOKIE = 3
    PROBE = 4
    ECHO = 5
    HEARING = 6
    MTU_PROBE = 7
    MTU_ACK = 8
    PACKET = 9
    SEGMENT = 10
    BUNDLE = 11
    TRAIN = 12
    HEARING_OF = 13


FLAG_CLASS = 0x07
FLAG_COPY = 0x08
FLAG_COMPRESSED = 0x10
FLAG_LAST = 0x20
FLAG_REPAIRED = 0x40

HEADER = struct.Struct(">BBHQ")  # type, flags, session, leg sequence
PACKET_HEADER = struct.Struct(">BBHQHI")  # ..., flow, flow sequence
SEGMENT_HEADER = struct.Struct(">BBHQHIH")  # ..., flow, flow sequence, offset
BUNDLED = struct.Struct(">HHI")  # kind and length, flow, flow sequence
BUNDLED_LENGTH = 0x1FFF
BUNDLED_OPEN = 0x8000
BUNDLED_TRAIN = 0x4000
BUNDLED_COMPRESSED = 0x2000
TRAIN_STEP = struct.Struct(">H")

TAG_SIZE = 16
OUTER_IPV4 = 28  # IPv4 and UDP
OUTER_IPV6 = 48
HEADER_MOST = 20

# Most bytes added to a full-size inner packet (behaviour 2.3), without the outer headers.
OVERHEAD_PLAIN = HEADER_MOST
OVERHEAD_TAGGED = HEADER_MOST + TAG_SIZE

# Packets smaller than this that wait in the same turn share a datagram (design/tunnel.md, idea 2).
BUNDLE_BELOW = 600

REKEY_AFTER_PACKETS = 2**60
# MTU_PROBE has leg sequences of its own, from here on: those that do not fit are no loss.
ASIDE = 2**63
REPLAY_WINDOW = 8192

# ---------------------------------------------------------------- handshake (behaviour 2.4)
#
# INITIATION   0 u8 type, 1 u8 version, 2 u16 session: the initiator's number of the new keypair
#              4 ephemeral key, 36 sealed static key, 84 sealed OFFER, 128 mac1, 144 mac2
# RESPONSE     0 u8 type, 1 u8 version, 2 u16 session as in the initiation
#              4 ephemeral key, 36 sealed ANSWER, 60 mac1
# COOKIE       0 u8 type, 1 u8 version, 2 u16 session as in the initiation
#              4 nonce, 20 sealed cookie
#
# mac1 is keyed with the receiver's public key and costs no multiplication: whoever does not know it
# learns nothing, not even that somebody listens. mac2 is keyed with the cookie, zero without one.
# An initiation is longer than either answer, so nobody's traffic is amplified.

HANDSHAKE_HEADER = struct.Struct(">BBH")  # type, version, session
# oldest version, newest, security, cipher, compression methods, reserved, bond, leg, epoch, count
OFFER = struct.Struct(">BBBBHHIIQI")
ANSWER = struct.Struct(">BBBBHH")  # version, security, cipher, reserved, compression, session

MAC_SIZE = 16
COOKIE_SIZE = 16
COOKIE_NONCE_SIZE = 16
INITIATION_SIZE = HANDSHAKE_HEADER.size + 32 + 48 + OFFER.size + TAG_SIZE + 2 * MAC_SIZE
RESPONSE_SIZE = HANDSHAKE_HEADER.size + 32 + ANSWER.size + TAG_SIZE + MAC_SIZE
COOKIE_MESSAGE_SIZE = HANDSHAKE_HEADER.size + COOKIE_NONCE_SIZE + COOKIE_SIZE + TAG_SIZE

COMPRESSION_DEFLATE = 1  # raw DEFLATE, mandatory (behaviour 2.11); other bits are free

# ---------------------------------------------------------------- probes (behaviour 2.13)
#
# PROBE      u32 number, u32 time of sending, u32 speed in force in kbit/s (0: the configured one),
#            u8 flags (0x01 please rekey), u8 count, then `count` times: u32 leg, u16 age
# ECHO       u32 number, u32 time the probe came, u32 time of sending, u16 loss over 10 s,
#            u16 loss over 30 s, u16 share of data that came after its hold had ended
# HEARING    u16 session, u64 highest, u32 heard, u16 delay, u8 count, then `count` times:
#            u32 distance of the gap's last number below `highest`, u16 length of the gap
# HEARING_OF u32 leg that is spoken of, then as HEARING
# MTU_PROBE  u32 number, u16 size of the outer packet, then zeros up to that size. Its leg sequence
#            counts from 2^63 in a row of its own, with a replay window of its own
# MTU_ACK    u32 number, u16 size
#
# Times are microseconds of the sender's clock, modulo 2^32. Ages are ms. Losses and shares are
# 1/10,000.

PROBE = struct.Struct(">IIIBB")
HEARD_LEG = struct.Struct(">IH")
ECHO = struct.Struct(">IIIHHH")
HEARING = struct.Struct(">HQIHB")
HEARING_GAP = struct.Struct(">IH")
HEARING_OF = struct.Struct(">I")
MTU_PROBE = struct.Struct(">IH")
MTU_ACK = struct.Struct(">IH")

PROBE_FLAG_REKEY = 0x01
AGE_LOST = 0xFFFF  # the sender cannot use this leg: no carrier, no address, or a send failed
AGE_MOST = 0xFFFE
LOSS_UNKNOWN = 0xFFFF  # too few datagrams in the time to say
LOSS_UNIT = 10_000
HEARD_LEGS_MOST = 4  # a probe lists that many legs; more take turns (16 kbit/s per direction)
