"""Many shots from one file: read (`shots`), checked and priced (`checking`), recalled from earlier runs (`recalling`),
submitted and followed (`running`), with what was begun on record (`progress`).
"""
