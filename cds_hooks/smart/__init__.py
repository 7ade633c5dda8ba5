"""The SMART app: launched from the chart, reads as the clinician who opened it, keeps its tokens on the server."""
