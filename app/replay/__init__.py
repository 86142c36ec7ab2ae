"""A recorded session once more: verified against what ran live, or played at its own pace."""
