"""What has to be looked at before a treatment session. May know decisions and the course of scales; no cards."""
