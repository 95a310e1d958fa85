"""Many shots from one file: read (`shots`), checked and priced (`validation`), restored from earlier runs (`restore`),
submitted and followed (`runner`), with every attempt recorded (`progress`).
"""
