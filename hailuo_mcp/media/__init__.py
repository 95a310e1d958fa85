"""Pictures in (`pictures`), clips out (`clips`) and joined (`films`), and the fetching that never reaches inside
(`fetching`).
"""
