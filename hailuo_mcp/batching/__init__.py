"""Many shots from one file: read (`shots`), checked and priced (`checking`), submitted and followed (`running`), with
what was begun on record (`progress`).
"""
