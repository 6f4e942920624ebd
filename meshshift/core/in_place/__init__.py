"""One Deployment that is updated in place: a new pod template is tried out on a copy before the Deployment rolls."""
