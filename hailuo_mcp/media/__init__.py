"""Images in (`images`), clips out (`clips`) and joined (`concat`), single frames (`frames`), and downloads that never
connect to private networks (`fetch`). What is sent to gateways does not belong here.
"""
