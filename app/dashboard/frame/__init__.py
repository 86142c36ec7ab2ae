"""Everything around the pages: the main window, bars, menus, keys, dialogs and themes."""
