"""Sign-in and sign-out."""

from django.contrib.auth.views import LoginView, LogoutView


class SignIn(LoginView):
    template_name = "web/account/login.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    next_page = "account_login"
